<%@ page contentType="text/html; charset=UTF-8" pageEncoding="UTF-8" %>
<%@ page import="java.net.InetAddress, java.sql.*" %>
<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>Tomcat and a database</title>
  <style>
    body { font: 16px/1.5 system-ui, sans-serif; margin: 3rem auto; max-width: 36rem; padding: 0 1rem; }
    td, th { border-bottom: 1px solid #ccc; padding: .3rem .8rem; text-align: left; }
    .quiet { color: #666; }
  </style>
</head>
<body>
<h1>Tomcat and a database</h1>
<%
  // `db` is the name that the link `mysql:db` gives the other container.
  String url = "jdbc:mariadb://db:3306/" + System.getenv("MYSQL_DATABASE") + "?connectTimeout=2000";
  try (Connection connection = DriverManager.getConnection(
           url, System.getenv("MYSQL_USER"), System.getenv("MYSQL_PASSWORD"));
       Statement statement = connection.createStatement()) {
    statement.executeUpdate("INSERT INTO visits VALUES ()");
%>
<table>
  <tr><th>#</th><th>Lesson</th></tr>
<%
    try (ResultSet lessons = statement.executeQuery("SELECT number, title FROM lessons ORDER BY number")) {
      while (lessons.next()) {
%>
  <tr><td><%= lessons.getInt("number") %></td><td><%= lessons.getString("title") %></td></tr>
<%
      }
    }
%>
</table>
<%
    try (ResultSet about = statement.executeQuery("SELECT COUNT(*), VERSION() FROM visits")) {
      about.next();
%>
<p>Visits so far: <%= about.getInt(1) %>.</p>
<p class="quiet">
  Served by <%= InetAddress.getLocalHost().getHostName() %>
  from <%= about.getString(2) %>
  at <%= InetAddress.getByName("db").getHostAddress() %>.
</p>
<%
    }
  } catch (SQLException error) {
    response.setStatus(503);
    response.setHeader("Refresh", "2");
%>
<p>The database is not ready yet. This page asks again every two seconds.</p>
<p class="quiet"><%= error.getMessage().replace("&", "&amp;").replace("<", "&lt;") %></p>
<%
  }
%>
</body>
</html>
